"""Files of images, masks, instance maps and class names: found, read, written."""
