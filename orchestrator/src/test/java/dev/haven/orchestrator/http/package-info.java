@NullMarked
package dev.haven.orchestrator.http;

import org.jspecify.annotations.NullMarked;
