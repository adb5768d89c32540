"""Generated faces: people who show the eight FERPlus expressions, drawn from action units with OpenCV.

They need no download, no license and nobody's consent, so the demo, the tests and the pictures in the
documentation use them. They say nothing about accuracy on real faces.
"""

from halfsmile.data.synthetic.actions import ACTION_UNITS, EXPRESSIONS, activation
from halfsmile.data.synthetic.folders import write_data_set, write_folders, write_sequences
from halfsmile.data.synthetic.scene import Strengths
from halfsmile.data.synthetic.sequences import SyntheticSequence, generate_sequence, generate_sequences
from halfsmile.data.synthetic.stills import SyntheticFaces, generate

__all__ = [
    "ACTION_UNITS",
    "EXPRESSIONS",
    "Strengths",
    "SyntheticFaces",
    "SyntheticSequence",
    "activation",
    "generate",
    "generate_sequence",
    "generate_sequences",
    "write_data_set",
    "write_folders",
    "write_sequences",
]
