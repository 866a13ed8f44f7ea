"""Study: methods; the teacher of objects leaves the background alone, which is class 0 here."""

methods = {
    "plain": {},
    "object teacher": dict(
        methods=[
            dict(
                type="MeanTeacher",
                momentum=0.99,
                start=0.3,
                tau=0.8,
                object_wise=True,
                background=0,
            )
        ]
    ),
}
