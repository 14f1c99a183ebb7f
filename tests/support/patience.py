"""How long tests wait, in seconds. A test waits for a condition; these bounds end what would never end.

They are for a machine ten times slower than ours, and busy: a run judges the code and not the machine.
What has to be quick is measured by `make bench`, which prints each figure beside its target.
"""

#: What the running parts bring about by themselves, in a second or two where nothing else runs.
EVENTUALLY = 120.0
#: From the start of a program or a server until it answers, and from its last signal until it has ended.
PROGRAM = 180.0
#: A demo, an outage or a backlog of thousands, to its end.
STORY = 480.0
#: What the door and the store wait for in tests that aren't about their limits.
LIMIT = 60.0
#: An answer over HTTP, or the next line of a stream.
ANSWER = 120.0
