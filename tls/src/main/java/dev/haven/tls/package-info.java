/**
 * Mutual TLS from PEM files, and a small certificate authority.
 *
 * <p>{@link dev.haven.tls.TlsContext} and {@link dev.haven.tls.Peer} are what daemons and the CLI
 * use to talk; they need the JDK alone. {@link dev.haven.tls.CertificateAuthority} makes the files,
 * with BouncyCastle, and is used by the lab and by operators.
 */
@NullMarked
package dev.haven.tls;

import org.jspecify.annotations.NullMarked;
