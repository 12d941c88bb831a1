"""How a network is trained and what a training run leaves behind; shared by the stages tune and train."""
