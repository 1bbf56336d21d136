# A target for each task: all that the suite makes of it.
for name in [*CONTEXTS, *ABSENT]:

    rule:
        name:
            name
        input:
            stop_for([ABSENT[name]]) if name in ABSENT else targets(name),
