/**
 * How a machine without a certificate becomes a part of the cluster: docs/adr/0027-joining.md.
 *
 * <pre>
 *   Door (opens and closes) -- JoinListener (TLS, sizes, rates) -- JoinDesk -- ClusterApi
 *                                                                      '-- Authority (signs)
 * </pre>
 */
@NullMarked
package dev.haven.orchestrator.join;

import org.jspecify.annotations.NullMarked;
