"""How a network is trained and what a training leaves; the stages tune and train both train with it."""
