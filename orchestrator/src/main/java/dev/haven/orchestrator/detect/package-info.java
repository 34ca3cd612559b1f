/**
 * The sockets and threads of the failure detector: takes heartbeats, carries what voters tell each
 * other, asks kernels and power devices. {@link dev.haven.core.lead.Watch} decides.
 */
@NullMarked
package dev.haven.orchestrator.detect;

import org.jspecify.annotations.NullMarked;
