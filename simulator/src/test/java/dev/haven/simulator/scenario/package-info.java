@NullMarked
package dev.haven.simulator.scenario;

import org.jspecify.annotations.NullMarked;
