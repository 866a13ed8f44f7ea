"""Study: methods; the teacher of objects leaves the background alone, which is class 0 here."""

methods = {
    "plain": {},
    "object teacher": dict(methods=[dict(type="ObjectTeacher", background=0, mirror=True)]),
}
