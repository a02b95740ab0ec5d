//! Configuration, sockets and waiting: the protocol engine joined to the network.
