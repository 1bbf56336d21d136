# Pictures of frames, each by a verb of its own.
for name, context in COMPUTED.items():
    for picture in pictured(name):

        rule:
            name:
                f"{picture.name.replace('-', '_')}_{name}"
            input:
                picture_inputs(name, picture),
            output:
                made_by(picture.name, name),
            log:
                f"{LOGS}/{name}/{picture.name}.log",
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                gpu=0,
                runtime="30m",
                mem="16GB",
            params:
                verb=picture.name,
                words=picture_words(name, picture),
                settings=as_it_is(picture_settings(context, picture)),
            shell:
                "lzu {params.verb:q} {params.words:q} --threads {threads:q}" " >{log:q} 2>&1"
