"""What two or more rules of slicewise share: one module for each thing of the field."""
