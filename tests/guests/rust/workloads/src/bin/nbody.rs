//! Five bodies under gravity: 64-bit float arithmetic with square roots and divisions.

use guest_workloads::{mix, report, rounds};

#[derive(Clone, Copy)]
struct Body {
    position: [f64; 3],
    velocity: [f64; 3],
    mass: f64,
}

fn step(bodies: &mut [Body; 5], time: f64) {
    for first in 0..bodies.len() {
        for second in first + 1..bodies.len() {
            let mut distance = [0.0; 3];
            let mut square = 0.0;
            for (axis, gap) in distance.iter_mut().enumerate() {
                *gap = bodies[first].position[axis] - bodies[second].position[axis];
                square += *gap * *gap;
            }
            let pull = time / (square * square.sqrt());
            let (near, far) = (bodies[first].mass, bodies[second].mass);
            for (axis, gap) in distance.iter().enumerate() {
                bodies[first].velocity[axis] -= gap * far * pull;
                bodies[second].velocity[axis] += gap * near * pull;
            }
        }
    }
    for body in bodies {
        for axis in 0..3 {
            body.position[axis] += time * body.velocity[axis];
        }
    }
}

fn main() {
    let rounds = rounds(60);
    let body = |x: f64, y: f64, z: f64, vx: f64, vy: f64, vz: f64, mass| Body {
        position: [x, y, z],
        velocity: [vx, vy, vz],
        mass,
    };
    let mut bodies = [
        body(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 40.0),
        body(5.0, -1.0, -0.1, 0.6, 2.8, -0.02, 0.04),
        body(8.3, 4.1, -0.4, -1.0, 1.8, 0.008, 0.01),
        body(13.0, -15.0, -0.2, 1.1, 0.9, -0.01, 0.002),
        body(15.0, -26.0, 0.2, 1.0, 0.6, -0.03, 0.002),
    ];
    for _ in 0..rounds {
        for _ in 0..20_000 {
            step(&mut bodies, 0.001);
        }
    }
    let checksum = bodies.iter().flat_map(|body| body.position).fold(0, |sum, value| mix(sum, value.to_bits()));
    report("nbody", rounds, checksum);
}
