"""What scripts and rules need around the work: job records, resources, locks, snapshots."""
