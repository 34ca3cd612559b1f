package dev.haven.model.config;

import java.nio.file.Path;

/**
 * Where a daemon's or an operator's TLS files are, all PEM.
 *
 * @param ca the certificates that are trusted
 * @param certificate our own, then those between it and the CA if any
 * @param key our own private key, PKCS#8
 */
public record TlsFiles(Path ca, Path certificate, Path key) {}
