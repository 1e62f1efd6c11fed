"""What PyInstaller cannot see: engines are imported by name, and weights are files of the package mtcnn."""

from PyInstaller.utils.hooks import collect_data_files, copy_metadata

hiddenimports = ["pymtcnn._core", "pymtcnn.backends.native", "pymtcnn.backends.numpy"]
datas = collect_data_files("pymtcnn") + collect_data_files("mtcnn") + copy_metadata("mtcnn")
# Its code is never imported, and would bring TensorFlow.
excludedimports = ["mtcnn"]
