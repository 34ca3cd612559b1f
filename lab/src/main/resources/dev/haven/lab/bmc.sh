#!/bin/bash
# What ipmi_sim runs to move the power of one host: bmc.sh HOSTDIR 0x20 get power | set power 0|1 …
# The file HOSTDIR/bmc/mode says how the device behaves: ok, hang (its packets are dropped before they get here),
# refuse (switching fails) or lie (says off and switches nothing).
DIR=$1
mode=ok
[ -e "$DIR/bmc/mode" ] && read -r mode <"$DIR/bmc/mode"
shift 2
verb=$1
shift
power() { "$DIR/../../power.sh" "$DIR" "$1" </dev/null >/dev/null 2>>"$DIR/log/bmc.log"; }
case "$verb" in
  get)
    for what in "$@"; do
      [ "$what" = power ] || continue
      if [ "$mode" = lie ]; then echo power:0; else echo "power:$("$DIR/../../power.sh" "$DIR" get)"; fi
    done
    ;;
  set)
    while [ $# -gt 1 ]; do
      printf '%(%FT%T)T set %s %s (%s)\n' -1 "$1" "$2" "$mode" >>"$DIR/log/bmc.log"
      case "$mode" in
        refuse) exit 1 ;;
        lie) ;;
        *)
          case "$1" in
            power) if [ "$2" = 0 ]; then power off; else power on; fi || exit 1 ;;
            reset) power off && power on || exit 1 ;;
          esac
          ;;
      esac
      shift 2
    done
    ;;
  check) ;;
esac
exit 0
