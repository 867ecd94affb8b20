"""What an agent acts in: tasks, the policy, rollouts, evaluation."""
