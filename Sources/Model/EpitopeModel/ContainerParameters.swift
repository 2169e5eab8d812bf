// SPDX-License-Identifier: Apache-2.0

/// The container of an attacked process, as its runtime, its engine or its orchestrator names it. It helps people to find the
/// service; no decision depends on it.
public struct ContainerParameters: Hashable, Sendable, Codable {
    /// The engine's or orchestrator's name of the container; without one, the runtime's id if that isn't the 64 digits of
    /// ``ProcessParameters/containerID``.
    public var name: String?
    /// The image as it was requested, such as `docker.io/library/nginx:1.25`.
    public var image: String?
    public var pod: Pod?

    public init(name: String? = nil, image: String? = nil, pod: Pod? = nil) {
        self.name = name
        self.image = image
        self.pod = pod
    }

    /// The Kubernetes pod that a container belongs to.
    public struct Pod: Hashable, Sendable, Codable {
        public var uid: String?
        public var name: String?
        public var namespace: String?

        public init(uid: String? = nil, name: String? = nil, namespace: String? = nil) {
            self.uid = uid
            self.name = name
            self.namespace = namespace
        }
    }

    /// Whether nothing is known.
    public var isEmpty: Bool { self == ContainerParameters() }

    /// These parameters, with those that only the other one has added.
    public func completed(by other: ContainerParameters) -> ContainerParameters {
        var result = ContainerParameters(name: name ?? other.name, image: image ?? other.image)
        if pod != nil || other.pod != nil {
            result.pod = Pod(
                uid: pod?.uid ?? other.pod?.uid, name: pod?.name ?? other.pod?.name,
                namespace: pod?.namespace ?? other.pod?.namespace)
        }
        return result
    }
}
