"""Users' own trajectories and labels, read from files of several kinds."""
