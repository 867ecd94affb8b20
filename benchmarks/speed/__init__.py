"""What MirrorPO's hot loops cost, beside what a user would write or pick instead."""
