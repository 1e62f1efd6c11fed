"""What PyInstaller cannot see: modules that are imported when they are needed, models, and the demo clip."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("pyfaceau", filter=lambda name: "._pyinstaller" not in name)
datas = collect_data_files("pyfaceau")
