"""What a user may set, the numbers of the detectors, switches of the environment, and versions of software."""

from snakedriz.settings.configuration import KEEP, Configuration, check_output, kinds_of_fit, validate_config
from snakedriz.settings.detectors import detector_settings, load_detectors
from snakedriz.settings.named_solutions import CANDIDATES
from snakedriz.settings.software import PACKAGES, software_versions
from snakedriz.settings.switches import (
    REFERENCE_VARIABLES,
    SWITCHES,
    environment_switches,
    reference_directories,
    reference_variable,
)  # fmt: skip

__all__ = [
    "CANDIDATES", "KEEP", "PACKAGES", "REFERENCE_VARIABLES", "SWITCHES", "Configuration",
    "check_output", "detector_settings", "environment_switches", "kinds_of_fit", "load_detectors",
    "reference_directories", "reference_variable", "software_versions", "validate_config",
]  # fmt: skip
