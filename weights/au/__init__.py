"""Training of the open action-unit models: rendered faces, MediaPipe labels, linear SVR and SVM."""
