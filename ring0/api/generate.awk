# SPDX-License-Identifier: GPL-2.0-only
#
# A dispatch table of operations.txt: awk -v side=c|rust|wrapper -f generate.awk
BEGIN {
	FS = " [|] "
	column = side == "c" ? 2 : side == "rust" ? 3 : side == "wrapper" ? 4 : 0
	if (!column) {
		print "generate.awk: side is c, rust or wrapper" > "/dev/stderr"
		failed = 1
		exit 1
	}
}

/^#/ || /^$/ { next }

NF != 5 || $1 !~ /^[a-z][a-z0-9_]*$/ || $1 in known {
	printf "%s:%d: not five fields and a new name: %s\n", FILENAME, FNR, $0 > "/dev/stderr"
	failed = 1
	exit 1
}

{
	known[$1]
	absent = $column == "-"
	if (side == "c")
		table = table (absent ? "RF_ABSENT(" : "RF_OPERATION(") $1 ")\n"
	else
		table = table "    " (absent ? "None" : "Some(rf_api_" $1 ")") ",\n"
	count++
}

END {
	if (failed)
		exit 1
	if (side == "c")
		printf "%s", table
	else
		printf "pub(crate) static OPERATIONS: [Option<Operation>; %d] = [\n%s];\n", count, table
}
