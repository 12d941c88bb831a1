"""Gates before training: is there anything new, and is the data like that which the champion was made from?"""
