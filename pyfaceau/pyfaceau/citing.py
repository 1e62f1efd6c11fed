"""What to cite, and a paragraph for a methods section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

#: Works behind the numbers, by what they are the source of.
CITATIONS: Mapping[str, str] = MappingProxyType(
    {
        "OpenFace 2": "Baltrušaitis, T., Zadeh, A., Lim, Y. C., & Morency, L.-P. (2018). OpenFace 2.0: Facial behavior "
        "analysis toolkit. IEEE International Conference on Automatic Face and Gesture Recognition (FG), "
        "59-66.",
        "ceclm": "Zadeh, A., Lim, Y. C., Baltrušaitis, T., & Morency, L.-P. (2017). Convolutional experts "
        "constrained local model for 3D facial landmark detection. IEEE International Conference on "
        "Computer Vision Workshops, 2519-2528.",
        "clnf": "Baltrušaitis, T., Robinson, P., & Morency, L.-P. (2013). Constrained local neural fields for "
        "robust facial landmark detection in the wild. IEEE International Conference on Computer Vision "
        "Workshops, 354-361.",
        "action units": "Baltrušaitis, T., Mahmoud, M., & Robinson, P. (2015). Cross-dataset learning and person-"
        "specific normalisation for automatic action unit detection. IEEE FG, Facial Expression "
        "Recognition and Analysis Challenge.",
        "gaze": "Wood, E., Baltrušaitis, T., Zhang, X., Sugano, Y., Robinson, P., & Bulling, A. (2015). "
        "Rendering of eyes for eye-shape registration and gaze estimation. IEEE International Conference "
        "on Computer Vision, 3756-3764.",
        "detector": "Zhang, K., Zhang, Z., Li, Z., & Qiao, Y. (2016). Joint face detection and alignment using "
        "multitask cascaded convolutional networks. IEEE Signal Processing Letters, 23(10), 1499-1503.",
        "FACS": "Ekman, P., Friesen, W. V., & Hager, J. C. (2002). Facial Action Coding System (2nd ed.). "
        "Research Nexus.",
    }
)
_LANDMARKS = {"ceclm": "CE-CLM", "clnf": "CLNF"}


def citations(landmarks: str = "ceclm") -> list[str]:
    """Return the works to cite for a result.

    Parameters
    ----------
    landmarks : str
        Landmark model: "ceclm" or "clnf".

    Returns
    -------
    list of str

    Examples
    --------
    >>> from pyfaceau.citing import citations
    >>> citations()[0][:12]
    'Baltrušaitis'
    """
    wanted = (
        "OpenFace 2",
        landmarks if landmarks in _LANDMARKS else "ceclm",
        "action units",
        "gaze",
        "detector",
    )
    return [CITATIONS[key] for key in wanted]


def methods_text(
    models: str, landmarks: str, versions: Mapping[str, str], remarks: Iterable[str] = ()
) -> str:
    """Write a paragraph for a methods section.

    Parameters
    ----------
    models : str
        "open" or "openface".
    landmarks : str
        "ceclm" or "clnf".
    versions : mapping of str to str
        From `pyfaceau.provenance.versions`, or of a result's record.
    remarks : iterable of str
        Further sentences, such as what a check of the installation found.

    Returns
    -------
    str
    """
    packages = ", ".join(
        f"{name} {versions[key]}"
        for key, name in (("pyclnf", "pyclnf"), ("pymtcnn", "pymtcnn"), ("pyfhog", "pyfhog"), ("numpy", "NumPy"),
                          ("opencv", "OpenCV"), ("python", "Python"))
        if key in versions
    )  # fmt: skip
    model = (
        "the models of OpenFace 2.2.0"
        if models == "openface"
        else "pyfaceau's open models, which are not OpenFace's"
    )
    how = _LANDMARKS.get(landmarks, landmarks)
    text = [
        f"Facial landmarks, head pose, gaze and facial action units were measured with pyfaceau {versions['pyfaceau']} "
        f"({packages}), a re-implementation of OpenFace 2.2 (Baltrušaitis et al., 2018), with {model}. Faces were "
        f"found by MTCNN (Zhang et al., 2016) and landmarks by {how}.",
        *remarks,
    ]
    return " ".join(text)
