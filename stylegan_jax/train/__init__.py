"""Fine-tuning: data, augmentation, losses and the training loop."""
