//! The proof: a model, power cuts, bit rot, costs and a full volume, hostile images.
mod bits;
mod cuts;
mod disk;
mod golden;
mod hostile;
mod model;
mod random;
mod space;
mod versions;
