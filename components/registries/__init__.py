"""Where the versions of the served model are kept, and which of them is the champion."""
