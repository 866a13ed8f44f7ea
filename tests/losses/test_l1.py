import pytest
import torch

from segnoise.losses import L1Penalty


@pytest.fixture
def parameters():
    random = torch.Generator().manual_seed(0)
    shapes = [(3, 2), (5,), (), (0, 4)]
    return [torch.randn(shape, generator=random).requires_grad_() for shape in shapes]


def test_value_and_gradient(parameters):
    expected = sum(abs(value) for p in parameters for value in p.flatten().tolist())
    value = L1Penalty()(p for p in parameters)
    (2 * value).backward()
    assert value.item() == pytest.approx(expected, rel=1e-6)
    for p in parameters:
        assert torch.equal(p.grad, 2 * p.detach().sign())


def test_gradcheck(parameters):
    double = [p.detach().double().requires_grad_() for p in parameters]
    assert L1Penalty()(double).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda *p: L1Penalty()(p), double)


def test_zero_has_a_zero_gradient():
    zero = torch.zeros(3, requires_grad=True)
    L1Penalty()([zero]).backward()
    assert (zero.grad == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_parameters_are_summed_in_float32(dtype):
    # 5000 times 0.1 stalls at 256 or overflows if summed in half precision.
    parameters = [torch.full((5000,), 40.0, dtype=dtype, requires_grad=True)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = L1Penalty()(parameters)
    value.backward()
    assert value.dtype == torch.float32
    assert value == 200_000
    assert parameters[0].grad.dtype == dtype


def test_frozen_parameters_count_but_get_no_gradient(parameters):
    parameters[0].requires_grad_(False)
    value = L1Penalty()(parameters)
    value.backward()
    torch.testing.assert_close(value, sum(p.detach().abs().sum() for p in parameters))
    assert parameters[0].grad is None
    assert parameters[1].grad is not None


def test_errors(parameters):
    with pytest.raises(ValueError, match="no parameters"):
        L1Penalty()(iter(()))
    with pytest.raises(TypeError, match=r"got torch\.int64"):
        L1Penalty()([torch.zeros(2).long()])
    with pytest.raises(TypeError, match="got str"):
        L1Penalty()(["weight"])
