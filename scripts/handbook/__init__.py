"""Pure functions behind the handbook: chapters and notebooks in, checked claims and pages out.

Arrows point one way: hooks and commands -> evidence, questions, pages -> chapters, notebooks -> problems.
"""
