"""An afternoon: which editor suits this model? Stream the same few corrections through two of them, and look at what each broke."""

import errata

EDITORS = ("scopeedit", "codebook")
KINDS = ("reliability", "text_generality", "image_generality", "specificity_out", "near_locality")

runs = {name: errata.bench("llava-tiny", name, edits=6, seed=3, out=f"runs/{name}") for name in EDITORS}

print(f"{'share of probes that met their expectation':45}" + "".join(f"{name:>12}" for name in EDITORS))
for kind in KINDS:
    rates = [run.horizons[-1].rates[kind] for run in runs.values()]
    print(f"{kind:45}" + "".join(f"{rate.rate:12.0%}" if rate.rate is not None else f"{'-':>12}" for rate in rates))
for name in EDITORS:
    print(f"the report of {name}: runs/{name}/report.html")
print("Six edits of one seed say little; errata table editors takes several seeds and prints standard errors.")
