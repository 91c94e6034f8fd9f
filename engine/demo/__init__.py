"""Made-up or recorded traffic of a hotspot, in the present, for `offspot-metrics demo`.

`school` makes up a school and its visits, `recorded` moves logs that somebody has to the present;
both are a `Traffic`, which `log_folder` writes as Caddy would. Time is an argument everywhere.
"""
