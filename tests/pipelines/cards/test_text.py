from pipelines.cards.text import unit_of
from schemas import FeatureConfig
from schemas.names import FEATURE_NAMES


def test_every_feature_has_a_unit() -> None:
    specs = FeatureConfig(features=FEATURE_NAMES).specs()
    units = {name: unit_of(spec) for name, spec in specs.items()}
    assert len(set(units.values())) == len(FEATURE_NAMES)
