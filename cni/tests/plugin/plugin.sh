#!/bin/sh
# A CNI plugin for tests: writes down how it was called, then does what the file answer.$CNI_COMMAND beside it says.
# Linked, not copied, into test directories: a file that was just written cannot always be run (ETXTBSY).
here=$(dirname "$0")
echo "$CNI_COMMAND" >>"$here/calls"
env | grep '^CNI_' | sort >"$here/env.$CNI_COMMAND"
cat >"$here/stdin.$CNI_COMMAND"
echo "a line of the plugin's log" >&2
if [ -f "$here/answer.$CNI_COMMAND" ]; then
	. "$here/answer.$CNI_COMMAND"
fi
