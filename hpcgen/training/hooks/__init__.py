"""What happens between steps: one hook for each subject."""
