// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension ContainerParameters {
    /// Reads a container's annotations, which its engine passed to the runtime.
    ///
    /// The keys are those of containerd's and CRI-O's Kubernetes interface, and of the image specification
    /// (`io.kubernetes.cri.…` in containerd's `internal/cri/annotations`, `io.kubernetes.cri-o.…` in CRI-O's
    /// `pkg/annotations`, `io.kubernetes.…` of the kubelet's labels, which CRI-O and cri-dockerd hand on).
    public init(annotations: [String: String]) {
        func first(_ keys: String...) -> String? {
            for key in keys {
                if let value = annotations[key], !value.isEmpty { return value }
            }
            return nil
        }
        self.init(
            name: first(
                "io.kubernetes.cri.container-name", "io.kubernetes.container.name", "io.kubernetes.cri-o.Name"),
            image: first(
                "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image",
                "org.opencontainers.image.ref.name"))
        let pod = Pod(
            uid: first("io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"),
            name: first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name", "io.kubernetes.cri-o.KubeName"),
            namespace: first("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace", "io.kubernetes.cri-o.Namespace"))
        if pod != Pod() { self.pod = pod }
    }
}
