// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension ContainerParameters {
    init(_ wire: Epitope_V1_Container) throws(EpitopeError) {
        self.init(
            name: wire.hasName ? try Wire.text(wire.name, "process.container.name", max: Bounds.containerName) : nil,
            image: wire.hasImage ? try Wire.text(wire.image, "process.container.image", max: Bounds.image) : nil,
            pod: wire.hasPod ? try Pod(wire.pod) : nil)
    }

    var wire: Epitope_V1_Container {
        var wire = Epitope_V1_Container()
        if let name { wire.name = name }
        if let image { wire.image = image }
        if let pod { wire.pod = pod.wire }
        return wire
    }

    /// With its texts clipped to the bounds of the schema.
    var withinBounds: ContainerParameters {
        ContainerParameters(
            name: name?.clipped(to: Bounds.containerName), image: image?.clipped(to: Bounds.image),
            pod: pod.map { pod in
                Pod(
                    uid: pod.uid?.clipped(to: Bounds.containerName), name: pod.name?.clipped(to: Bounds.containerName),
                    namespace: pod.namespace?.clipped(to: Bounds.containerName))
            })
    }
}

extension ContainerParameters.Pod {
    init(_ wire: Epitope_V1_Pod) throws(EpitopeError) {
        self.init(
            uid: wire.hasUid ? try Wire.text(wire.uid, "process.container.pod.uid", max: Bounds.containerName) : nil,
            name: wire.hasName ? try Wire.text(wire.name, "process.container.pod.name", max: Bounds.containerName) : nil,
            namespace: wire.hasNamespace
                ? try Wire.text(wire.namespace, "process.container.pod.namespace", max: Bounds.containerName) : nil)
    }

    var wire: Epitope_V1_Pod {
        var wire = Epitope_V1_Pod()
        if let uid { wire.uid = uid }
        if let name { wire.name = name }
        if let namespace { wire.namespace = namespace }
        return wire
    }
}
