"""What each layer of Caffe becomes in Keras: a file a layer family, and what several of them need."""
