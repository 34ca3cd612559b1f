/**
 * A whole cluster of real parts on one machine: the demo, the end-to-end test bed and the benchmark
 * bed at once.
 *
 * <p>A host is a set of Linux namespaces (net, pid, mount, uts, ipc) with a libvirtd of its own
 * and, unless it is left out, an agent and an orchestrator, watched by a supervisor that restarts
 * them as systemd would. Everything a host runs is in one control group: the kernel's own count of
 * it says whether the host is on, freezing it is a hung kernel, killing it is a power cut. Each
 * host has a virtual BMC (OpenIPMI's {@code ipmi_sim}, real IPMI 2.0 over UDP) that moves its
 * power.
 *
 * <p>In the lab's second form ({@link dev.haven.lab.LabForm}, docs/lab.md) a host is a whole
 * machine: User Mode Linux with its own systemd and disk, on which Haven's packages are installed.
 * It is one control group, too.
 *
 * <pre>
 *   Lab            up, down, power, faults, what runs where          (start here)
 *   LabPlan        pure: names, addresses and files of a lab, from its number
 *   GuestImage     the small Linux that guests boot     Accelerator  KVM where it works, else TCG
 *   QemuWatch      sees a new QEMU process within milliseconds       ConsoleWatch  sees a guest come up
 *   CopiesWatch    whether two copies of a guest ever run at once
 *   power.sh       the power button      boot.sh  what a host runs   bmc.sh  what its BMC does
 *   Inside         what is done inside a host: InNamespaces, or OverSsh in whole machines
 *   MachineImage, MachineFiles, PackageSource, power-machine.sh, machine-*.sh   whole machines only
 * </pre>
 *
 * <p>Kept true: whatever the lab starts can be found again from the lab's number alone, so that an
 * {@code up} that was interrupted at any point can be finished by another {@code up} or cleared
 * away by {@code down}, which leaves nothing.
 */
@NullMarked
package dev.haven.lab;

import org.jspecify.annotations.NullMarked;
