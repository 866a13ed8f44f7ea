"""What noise models are built from: objects, outlines, orders of classes, random fields."""
