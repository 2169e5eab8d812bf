// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation

/// Parses engines' records of their containers. A record of an unexpected form gives nothing.
enum ContainerRecords {
    /// `config.json` of an OCI bundle, as containerd, CRI-O and podman write it for their runtime.
    static func bundle(_ bytes: [UInt8]) -> ContainerParameters? {
        struct Bundle: Decodable {
            var annotations: [String: String]?
        }
        guard let bundle = decode(Bundle.self, bytes), let annotations = bundle.annotations else { return nil }
        return known(ContainerParameters(annotations: annotations))
    }

    /// docker's `config.v2.json`: the name with a slash before it, the image as it was requested, and the labels, in which
    /// cri-dockerd stores what Kubernetes says.
    static func docker(_ bytes: [UInt8]) -> ContainerParameters? {
        struct Record: Decodable {
            struct Configuration: Decodable {
                var Image: String?
                var Labels: [String: String]?
            }
            var Name: String?
            var Config: Configuration?
        }
        guard let record = decode(Record.self, bytes) else { return nil }
        let name = record.Name.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        let labels = ContainerParameters(annotations: record.Config?.Labels ?? [:])
        // The engine itself states the image; a label of that name is whatever the image's author wrote.
        return known(
            ContainerParameters(name: labels.name ?? name, image: record.Config?.Image, pod: labels.pod))
    }

    /// `containers.json` of containers-storage (podman, CRI-O, buildah): a list of entries, each with JSON as a string in it.
    static func storage(_ bytes: [UInt8], id: String) -> ContainerParameters? {
        struct Record: Decodable {
            var id: String
            var names: [String]?
            var metadata: String?
        }
        struct Metadata: Decodable {
            var imageName: String?
            var name: String?
            var podName: String?

            enum CodingKeys: String, CodingKey {
                case imageName = "image-name"
                case name
                case podName = "pod-name"
            }
        }
        guard let record = decode([Record].self, bytes)?.first(where: { $0.id == id }) else { return nil }
        let metadata = record.metadata.flatMap { decode(Metadata.self, Array($0.utf8)) }
        // CRI-O's name of a container combines pod, namespace and UID; its bundle has them separately.
        return known(ContainerParameters(name: metadata?.name ?? record.names?.first, image: metadata?.imageName))
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
        try? JSONDecoder().decode(type, from: Data(bytes))
    }

    private static func known(_ container: ContainerParameters) -> ContainerParameters? {
        container.isEmpty ? nil : container
    }
}
