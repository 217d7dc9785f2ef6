"""A library of four fragments, one variant, one therapy and one form, small enough to know every number of it."""

from pathlib import Path

from ghaxis.reading import read_library
from ghaxis.reading.records import Library

FILES = {
    "model/units.ant": """// Units.
unit hour = 3600 second;
unit per_hour = 1/(3600 second);
unit ng = 1e-9 gram;
unit ng_per_hour = 1e-9 gram/(3600 second);
unit ng_per_litre = 1e-9 gram/litre;
unit time_unit = 3600 second;
unit substance = 1e-9 gram;
unit extent = 1e-9 gram;
unit volume = 1 litre;
""",
    "model/world.ant": """// What comes from outside.
// needs:
// offers: load, day_length
load = 2; load has dimensionless; // a load | definition | none | cause
day_length = 24; day_length has hour; // length of a day | definition | none
""",
    "model/blood.ant": """// A hormone in blood.
// needs: load, brake
// offers: plasma, H, H_per_day, port_H
compartment plasma = 4; plasma has litre; // volume | known2001_volume | cv 0.2
species H in plasma; H = 10; // hormone, ng/L
r_H = 8; r_H has ng_per_hour; // release | fitted: known2001_mean | cv 0.3
k_H = 0.5; k_H has per_hour; // loss | assumed: minutes | none
port_H = 0; port_H has dimensionless; // sum of levels | definition | none | port
H_per_day := k_H*plasma*H; // turnover
H_release: => H; r_H*load*(1 + port_H)/(1 + brake); // release
H_loss: H => ; H_per_day; // loss
""",
    "model/brake.ant": """// What the hormone induces, and what it brakes with.
// needs: H, day_length
// offers: brake, store
K_brake = 10; K_brake has ng_per_litre; // hormone of half effect | definition | none
tau_brake = 2; tau_brake has hour; // its time | definition | none
brake = 0.5; brake has dimensionless; // the brake
brake' = (H/(K_brake + H) - brake)/tau_brake;
store = 3; store has dimensionless; // what is laid down | definition | none | slow
store' = r_store*(1 + 0.1*cos(2*pi*time/day_length)) - k_store*store;
r_store = 0.03; r_store has per_hour; // laying down | definition | cv 0.2 | balances store
k_store = 0.01; k_store has per_hour; // use | definition | none
""",
    "model/reader.ant": """// A read-out.
// needs: H, brake
// offers: seen
seen := H*(1 - brake); // what is seen
""",
    "variants/brake_plain.ant": """// A brake that does not learn.
// needs: H
// offers: brake, store
K_plain = 20; K_plain has ng_per_litre; // hormone of half effect | definition | none
brake := H/(K_plain + H); // the brake
store = 3; store has dimensionless; // what is laid down | definition | none | slow
store' = r_plain*(3 - store);
r_plain = 0.01; r_plain has per_hour; // use | definition | none | balances store
""",
    "forms/depot.ant": """// A depot.
// needs:
// offers: depot_DRUG
depot_DRUG = 0; depot_DRUG has ng; // waiting
depot_DRUG' = -k_DRUG*depot_DRUG;
""",
    "therapies/pill.ant": """// A pill.
// status: investigational | checked 2026-11
// form: depot
// route: oral -> depot_pill
// molar_mass: 500
// needs:
// offers: port_H_pill
k_pill = 1; k_pill has per_hour; // absorption | assumed: an hour | none
m_pill = 5; m_pill has ng; // amount of half effect | assumed: guess of a test | none
port_H_pill := depot_pill/m_pill; // what it adds
""",
}


def write(root: Path, **changed: str) -> Path:
    """Write the library below `root`, with texts replaced: write(root, brake="...") writes another model/brake.ant."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, text))
    return root


def library(root: Path, **changed: str) -> Library:
    """The library as read."""
    return read_library(write(root, **changed))
