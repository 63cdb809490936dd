"""From Caffe's vocabulary to Keras': which layer a layer becomes, and how its arrays are laid out there."""
