"""What a trained model is measured by, and what each measure stands beside."""
