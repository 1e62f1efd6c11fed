"""What PyInstaller cannot see: the open models and the manifest of OpenFace's."""

from PyInstaller.utils.hooks import collect_data_files

hiddenimports = ["pyclnf._core"]
datas = collect_data_files("pyclnf")
