#!/bin/bash
# Makes a checkout of blktests test rf_nullblk instead of null_blk. blktests
# has no option for the driver's name, so this puts in the module's name and
# that of its configfs group; what blktests asks of module parameters, which
# rf_nullblk has not, it then asks of the settings of devices.
#
#   bash lab/blktests.sh CHECKOUT       a fresh one, once
set -eu
cd "${1:?usage: bash lab/blktests.sh CHECKOUT}"
grep -rlE '\bnull_blk\b|config/nullb\b' common tests --include='[0-9r]*' --include=null_blk |
	xargs sed -i -E \
		-e '/^\. common\//!s/_have_module_param null_blk /_have_rf_setting /' \
		-e '/^\. common\//!s/\bnull_blk\b/rf_nullblk/g' \
		-e 's,mkdir -p /sys/kernel/config/nullb/,_configure_null_blk ,' \
		-e 's,config/nullb\b,config/rf_nullblk,g'
cat >> common/null_blk <<'END'

# What follows is for rf_nullblk, which has no module parameters.

_have_rf_setting() {
	_have_driver rf_nullblk || return
	if ! _have_null_blk_feature "$1"; then
		SKIP_REASONS+=("rf_nullblk has no setting $1")
	fi
}

eval "_rf$(declare -f _configure_null_blk)"

# C null_blk has as many queues as there are CPUs where it is told to have more.
_configure_null_blk() {
	local arg cpus settings=()

	cpus=$(nproc --all)
	for arg in "${RF_PARAMETERS[@]}" "${@:2}"; do
		if [[ $arg = submit_queues=* ]] && ((${arg#*=} > cpus)); then
			arg=submit_queues=$cpus
		fi
		settings+=("$arg")
	done
	_rf_configure_null_blk "$1" "${settings[@]}"
}

_init_null_blk() {
	local arg i devices=1

	_remove_null_blk_devices
	if ! modprobe -r rf_nullblk || ! modprobe rf_nullblk; then
		SKIP_REASONS+=("requires modular rf_nullblk")
		return 1
	fi
	RF_PARAMETERS=()
	for arg in "$@"; do
		case $arg in
		nr_devices=*) devices=${arg#*=} ;;
		*) RF_PARAMETERS+=("$arg") ;;
		esac
	done
	for ((i = 0; i < devices; i++)); do
		_configure_null_blk "nullb$i" power=1 || return 1
	done
	udevadm settle
	return 0
}
END
