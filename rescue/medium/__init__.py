"""The image of the USB rescue medium, built as a file: no root, no loop device, no mount."""
