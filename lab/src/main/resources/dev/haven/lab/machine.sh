#!/bin/bash
# A whole machine: machine.sh ARGUMENT… of its kernel. A reboot runs the kernel's own name again, in the same process,
# which still holds its taps open; so the name is this script's, and it lets go of them.
{
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    ((fd > 2 && fd < 255)) && eval "exec $fd>&-"
  done
  exec -a "$0" linux.uml "$@"
}
