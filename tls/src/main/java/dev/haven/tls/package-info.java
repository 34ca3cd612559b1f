/** Mutual TLS from PEM files, and a small certificate authority. */
@NullMarked
package dev.haven.tls;

import org.jspecify.annotations.NullMarked;
