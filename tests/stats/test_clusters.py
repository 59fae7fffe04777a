import numpy as np

from routeviz.stats.clusters import clustered


def test_clusters_come_largest_first_with_the_route_nearest_to_their_centre():
    activations = np.array([[0.9, 0.9], [0.0, 0.1], [0.0, 0.2], [0.0, 0.6], [1.0, 0.8]])
    found = clustered(activations, 2)
    assert found.cluster.tolist() == [1, 0, 0, 0, 1]
    np.testing.assert_allclose(found.centres, [[0, 0.3], [0.95, 0.85]])
    assert found.typical[0] == 2
    assert found.typical[1] in (0, 4)


def test_the_typical_route_is_of_the_cluster_even_where_another_is_nearer_to_the_centre():
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)  # 1 from its centre, the others 0.95
    found = clustered(np.concatenate([ring, np.tile([0, 0, 0.95], (200, 1))]), 2)
    assert found.cluster.tolist() == [1] * 24 + [0] * 200
    assert found.typical[1] < 24


def test_no_more_clusters_than_different_routes():
    assert clustered(np.zeros((4, 3)), 5).cluster.tolist() == [0, 0, 0, 0]
